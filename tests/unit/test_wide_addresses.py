"""Addresses in letters of full width are the same accounts."""

from app.security.emails import login_names, normalize_email


def test_letters_of_full_width_are_letters() -> None:
    assert normalize_email("\uff21da\uff20example.org") == "ada@example.org"
    assert "ada@example.org" in login_names("\uff41\uff44\uff41@example.org")
