"""Labels by people: blinded sheets, their import, and agreement."""
