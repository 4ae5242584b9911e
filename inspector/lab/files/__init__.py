"""Files of the user's own: where traces and settings are kept, and to whom what is made belongs."""
