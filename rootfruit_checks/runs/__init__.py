"""One run, sequential looks, shards and their merge."""
