"""The suite that gates: one short file per question."""
