"""WinoQueer: sentence pairs about queer identities."""
