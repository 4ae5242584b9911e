"""The terminal app: screens, widgets, styles, messages. Textual is imported here and nowhere else."""

import os

# A packet is to be seen within milliseconds; Textual's usual 60 frames a second would add up to 17 of them.
os.environ.setdefault("TEXTUAL_FPS", "120")
