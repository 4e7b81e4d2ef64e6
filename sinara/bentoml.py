"""What a notebook imports to save a model as a service, as in 4-DS Sinara."""
