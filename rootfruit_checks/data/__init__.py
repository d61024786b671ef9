"""Reading, verifying, downloading and sampling of files. Knows formats, not benchmarks."""
