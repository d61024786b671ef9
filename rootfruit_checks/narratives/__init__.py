"""What continuations tell of a person: themes, tagged by lexicon and encoder, or coded by people. Never gated."""
