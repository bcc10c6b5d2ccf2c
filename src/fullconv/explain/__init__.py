"""What a network does, shown. One file a way of looking; this folder is the list of them."""
