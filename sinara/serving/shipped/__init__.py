"""What goes into every bento that is made from a plain model; it runs there without sinara.

``sinara_service.py`` is the service, ``sinara_served.py`` is what it knows of models, and a
``model.json`` beside them says which model it is and what its input looks like.
"""
