"""The commands: each file declares what one of them takes, makes one library call, and shows the answer."""
