"""Keys, blobs and files in any place; nothing is ever half written."""
