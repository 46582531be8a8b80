"""What changes the forum: posting, voting, curating, reading."""
