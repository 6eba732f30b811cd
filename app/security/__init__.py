"""Passwords, secrets and request forgery: the mechanics, without database or HTTP."""
