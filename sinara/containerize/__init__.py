"""From a bentoservice entity to an image whose name says which run it came from."""
