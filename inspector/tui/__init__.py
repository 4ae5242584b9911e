"""The screens. Textual is imported here alone; widgets show what the views compute."""
