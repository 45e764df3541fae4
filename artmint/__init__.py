"""From a prompt to a proven token."""
