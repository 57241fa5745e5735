"""The listening room: a small web application that reads the store and appends choices."""
