"""The fixture that keeps tests off the real machine is tested too."""

from pathlib import Path


def test_home_is_an_empty_folder_of_the_test(private_machine):
    home = Path.home()

    assert home == private_machine
    assert list(home.iterdir()) == []
