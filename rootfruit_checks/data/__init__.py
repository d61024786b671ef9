"""Reading, verifying, downloading and sampling of data files, independent of benchmarks."""
