"""How judges treat the same sentence about different people."""
