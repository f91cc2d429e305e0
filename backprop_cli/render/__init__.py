"""How a report looks: on a terminal, read aloud, as JSON, as a picture."""
