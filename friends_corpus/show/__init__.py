"""Facts about a show as data: titles, cast, speakers, page names."""
