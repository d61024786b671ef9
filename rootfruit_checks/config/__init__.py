"""Options, ini keys and `[tool.rootfruit]`, merged into one frozen `Settings`."""
