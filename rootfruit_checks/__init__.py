"""Gate language-model releases on harm to transgender, nonbinary and other gender-diverse people."""

__version__ = "0.1.0"
