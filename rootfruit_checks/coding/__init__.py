"""Labels by human coders: blinded sheets, their import, and agreement."""
