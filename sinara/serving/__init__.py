"""A model as a service: saved as an entity, loaded, served and asked."""
