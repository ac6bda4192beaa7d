"""Swiss French dates and numbers: 22.11.2026 08:05; 1 241 with a no-break space."""

DATE_FORMAT = "d.m.Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "d.m.Y H:i"
SHORT_DATE_FORMAT = "d.m"
SHORT_DATETIME_FORMAT = "d.m.Y H:i:s"
DECIMAL_SEPARATOR = ","
THOUSAND_SEPARATOR = "\xa0"
NUMBER_GROUPING = 3
FIRST_DAY_OF_WEEK = 1
