"""What exists: measures, benchmarks, classifiers, identity groups, and the decorators that register them."""
