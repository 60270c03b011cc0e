"""What is known of one show, as data: titles, cast, speakers, page names."""
