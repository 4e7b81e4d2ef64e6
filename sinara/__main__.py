"""``python -m sinara`` is the ``sinara`` command."""

from sinara.cli import main

raise SystemExit(main())
