"""How a stream falls into messages, which several protocols share: units, exchanges, starts."""
