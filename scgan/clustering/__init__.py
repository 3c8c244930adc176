"""K-means, in memory and over files."""
