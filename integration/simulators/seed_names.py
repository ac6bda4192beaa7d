"""Words the made-up companies are built from. Every company and person is invented."""

from typing import NamedTuple

__all__ = [
    "CURRENCIES",
    "FAMILY_NAMES",
    "FIRST_NAMES",
    "FOREIGN_CUSTOMERS",
    "LEGAL_FORMS",
    "STREETS",
    "SWISS_TOWNS",
    "TOWNS",
    "TRADES",
    "Town",
]


class Town(NamedTuple):
    """A place with the post code, canton or county and country of its centre."""

    city: str
    postal_code: str
    state: str
    country: str


_FAMILIES = """
Aebischer Aeschlimann Amstutz Bachmann Baeriswyl Berset Blanc Bolliger
Bonvin Brönnimann Bühler Burkhalter Castella Chappuis Chevalley Clément
Corboz Cottier Crettenand Décaillet Délèze Dubuis Dürrenmatt Eggimann
Fässler Favre Fellay Flückiger Frossard Gähwiler Gaillard Genoud Girardin
Glauser Gögel Grandjean Gremaud Häberli Häfliger Hürlimann Imboden Jäggi
Jaquet Jeanneret Jolidon Kälin Käser König Krähenbühl Lüscher Lüthi Mäder
Maître Marchand Métrailler Michaud Moret Mühlemann Müller Näf Niederhäuser
Nussbaumer Oberholzer Oesch Pahud Perrenoud Pfäffli Piguet Pittet Quartenoud
Rapin Reymond Rochat Röthlisberger Rüegg Rüfenacht Savary Schär Schläppi
Schöni Stämpfli Stöckli Sübriger Sutter Tâche Thévoz Thürig Tinguely Uldry
Überschlag Vögeli Vonlanthen Vuilleumier Wälchli Wüthrich Yersin Zäch
Zbinden Zürcher Åberg Černý Dvořák García Łukasik Nuñez Öztürk Şahin
"""
FAMILY_NAMES = tuple(_FAMILIES.split())

_PERSONS = """
Adèle Alain Anaïs Andrea Benoît Béatrice Céline Chloé Daniel Élodie Émile
Fabienne François Gaëlle Hélène Inès Jérôme Jürg Käthi Léa Loïc Lukas Maëlle
Marcel Mélanie Nadège Noémie Pascal Raphaël Regula René Samuel Sébastien
Stéphane Thérèse Ursula Valérie Véronique Zoé Zsófia
"""
FIRST_NAMES = tuple(_PERSONS.split())

TRADES = (
    "Menuiserie {n}",
    "{n} Metallbau",
    "Boulangerie {n}",
    "{n} Haustechnik",
    "Fromagerie {n}",
    "{n} & Söhne",
    "Garage {n}",
    "{n} Holzbau",
    "Imprimerie {n}",
    "{n} Elektro",
    "Pharmacie {n}",
    "{n} Möbel",
    "Charpente {n}",
    "{n} Treuhand",
    "Horlogerie {n}",
    "{n} & Cie",
    "Cave {n}",
    "{n} Gartenbau",
    "Papeterie {n}",
    "{n} Maschinen",
    "Transports {n}",
    "{n} Optik",
    "Atelier {n}",
    "{n} Bäckerei",
    "Quincaillerie {n}",
    "{n} Kältetechnik",
    "Hôtel {n}",
    "{n} Präzision",
    "Serrurerie {n}",
    "{n} Sanitär",
    "Vitrerie {n}",
    "{n} Spenglerei",
    "Fleurs {n}",
    "{n} Küchen",
    "Architectes {n}",
    "{n} Uhren",
    "Chocolaterie {n}",
    "{n} Textil",
    "Librairie {n}",
    "{n} Antriebe",
)

LEGAL_FORMS = ("SA", "AG", "Sàrl", "GmbH", "SA", "AG")

STREETS = (
    "Rue du Lac {n}",
    "Bahnhofstrasse {n}",
    "Avenue de la Gare {n}",
    "Dorfstrasse {n}",
    "Chemin des Vignes {n}",
    "Industriestrasse {n}",
    "Route de Genève {n}",
    "Hauptstrasse {n}",
    "Grand-Rue {n}",
    "Kirchgasse {n}",
    "Rue de l'Hôpital {n}",
    "Mühlegasse {n}",
    "Place du Marché {n}",
    "Zürcherstrasse {n}",
    "Quai Perdonnet {n}",
    "Schützenweg {n}",
)

SWISS_TOWNS = tuple(
    Town(city, code, canton, "CH")
    for city, code, canton in (
        ("Lausanne", "1003", "VD"),
        ("Genève", "1204", "GE"),
        ("Zürich", "8001", "ZH"),
        ("Bern", "3011", "BE"),
        ("Vevey", "1800", "VD"),
        ("Montreux", "1820", "VD"),
        ("Nyon", "1260", "VD"),
        ("Morges", "1110", "VD"),
        ("Yverdon-les-Bains", "1400", "VD"),
        ("Fribourg", "1700", "FR"),
        ("Bulle", "1630", "FR"),
        ("Neuchâtel", "2000", "NE"),
        ("La Chaux-de-Fonds", "2300", "NE"),
        ("Delémont", "2800", "JU"),
        ("Sion", "1950", "VS"),
        ("Martigny", "1920", "VS"),
        ("Biel/Bienne", "2502", "BE"),
        ("Thun", "3600", "BE"),
        ("Köniz", "3098", "BE"),
        ("Luzern", "6003", "LU"),
        ("Winterthur", "8400", "ZH"),
        ("St. Gallen", "9000", "SG"),
        ("Schaffhausen", "8200", "SH"),
        ("Basel", "4051", "BS"),
        ("Aarau", "5000", "AG"),
        ("Chur", "7000", "GR"),
        ("Lugano", "6900", "TI"),
        ("Bellinzona", "6500", "TI"),
        ("Zug", "6300", "ZG"),
        ("Rolle", "1180", "VD"),
    )
)

#: Places outside Switzerland, by the currency their customers pay in.
TOWNS: dict[str, tuple[Town, ...]] = {
    "CHF": SWISS_TOWNS,
    "EUR": (
        Town("München", "80331", "", "DE"),
        Town("Köln", "50667", "", "DE"),
        Town("Düsseldorf", "40213", "", "DE"),
        Town("Lyon", "69002", "", "FR"),
        Town("Besançon", "25000", "", "FR"),
        Town("Annecy", "74000", "", "FR"),
        Town("Wien", "1010", "", "AT"),
        Town("Liège", "4000", "", "BE"),
        Town("Milano", "20121", "MI", "IT"),
        Town("Málaga", "29005", "", "ES"),
        Town("Αθήνα", "105 57", "", "GR"),
    ),
    "GBP": (
        Town("London", "EC2M 4NS", "", "GB"),
        Town("Edinburgh", "EH2 2BY", "", "GB"),
        Town("Bath", "BA1 1LZ", "Somerset", "GB"),
    ),
    "USD": (
        Town("Boston", "02110", "MA", "US"),
        Town("San José", "95113", "CA", "US"),
    ),
    "DKK": (
        Town("København K", "1050", "", "DK"),
        Town("Ærøskøbing", "5970", "", "DK"),
    ),
    "SEK": (Town("Göteborg", "411 03", "", "SE"), Town("Malmö", "211 20", "", "SE")),
    "NOK": (Town("Tromsø", "9008", "", "NO"), Town("Ålesund", "6002", "", "NO")),
    "CZK": (
        Town("Plzeň", "301 00", "", "CZ"),
        Town("České Budějovice", "370 01", "", "CZ"),
    ),
    "PLN": (Town("Łódź", "90-001", "", "PL"), Town("Kraków", "31-001", "", "PL")),
    "JPY": (
        Town("東京都千代田区", "100-0001", "", "JP"),
        Town("京都市", "604-8001", "", "JP"),
    ),
    "BGN": (Town("София", "1000", "", "BG"), Town("Пловдив", "4000", "", "BG")),
}

#: Names that no rule would make, by the currency of the customer; after a bar the town.
FOREIGN_CUSTOMERS: dict[str, tuple[str, ...]] = {
    "EUR": (
        "Ελληνικά Έπιπλα Α.Ε.|Αθήνα",
        "Αφοί Παπαδόπουλοι & Σία Ο.Ε.|Αθήνα",
        "Möbelhaus Grünwald & Töchter GmbH|München",
        "L'Épicerie d'À-Côté SARL|Lyon",
        "Bäckerei Weiß OHG|Köln",
        "Società Agricola Però S.r.l.|Milano",
        "Brüder Straßer KG|Wien",
        "Œuvres & Métiers d'Art SAS|Besançon",
        "Compañía Ibáñez e Hijos S.L.|Málaga",
        'Boulangerie "Au Bon Blé" SARL|Annecy',
    ),
    "GBP": (
        "Ashcombe & Pryor Ltd.",
        "O'Rourke Joinery Ltd.",
        "Thistle Lane Furnishings PLC",
        "Pennywell Instruments Ltd.",
        "Harrowgate Optical Ltd.",
        "Marlow & Daughters Ltd.",
        "Cairn Valley Foods Ltd.",
        "St. Aubyn Printing Co.",
        "Kestrel Bearings Ltd.",
        "Wrenfield Textiles Ltd.",
        "Brackenbury's Tea Merchants",
        "Tyne & Moor Machinery Ltd.",
    ),
    "USD": (
        "Harborlight Watch Co.",
        "Señal & Sons Inc.",
        "Blue Mesa Outfitters LLC",
        "Copper Creek Trading Inc.",
    ),
    "DKK": ("Ærø Kontormøbler A/S", "Nørreskov & Søn ApS"),
    "SEK": ("Åkerström Möbler AB", "Fjällräv & Björn Handelsbolag"),
    "NOK": ("Tromsøflaket Fiskeri AS", "Kjærstad Båtbyggeri AS"),
    "CZK": ("Truhlářství Dvořáček s.r.o.", "Šťastný a Řehoř, spol. s r.o."),
    "PLN": ("Zakład Stolarski Żółć Sp. z o.o.", "Piekarnia Świętosław S.A."),
    "JPY": ("青山時計株式会社", "京都さくら商事株式会社", "ヤマビコ精機株式会社"),
    "BGN": ("Мебели Витоша ООД", "Братя Георгиеви и Ко. АД"),
}


class Money(NamedTuple):
    """A currency: its name and sign, and what 100 units cost in Swiss francs."""

    code: str
    name: str
    symbol: str
    francs_per_hundred: str


CURRENCIES = {
    code: Money(code, name, symbol, francs)
    for code, name, symbol, francs in (
        ("AED", "UAE Dirham", "د.إ", "21.70"),
        ("AUD", "Australian Dollar", "$", "52.40"),
        ("BGN", "Bulgarian Lev", "лв", "47.60"),
        ("BRL", "Brazilian Real", "R$", "14.90"),
        ("CAD", "Canadian Dollar", "$", "57.10"),
        ("CHF", "Swiss Franc", "CHF", "100"),
        ("CZK", "Czech Koruna", "Kč", "3.84"),
        ("DKK", "Danish Krone", "kr.", "12.48"),
        ("EUR", "Euro", "€", "93.15"),
        ("GBP", "Pound Sterling", "£", "106.20"),
        ("HKD", "Hong Kong Dollar", "HK$", "10.25"),
        ("HUF", "Hungarian Forint", "Ft", "0.2410"),
        ("INR", "Indian Rupee", "₹", "0.9050"),
        ("ISK", "Iceland Krona", "kr", "0.6480"),
        ("JPY", "Japanese Yen", "¥", "0.5240"),
        ("MAD", "Moroccan Dirham", "د.م.", "8.70"),
        ("MXN", "Mexican Peso", "$", "4.31"),
        ("MYR", "Malaysian Ringgit", "RM", "19.10"),
        ("NOK", "Norwegian Krone", "kr", "7.92"),
        ("NZD", "New Zealand Dollar", "$", "46.30"),
        ("PLN", "Polish Zloty", "zł", "21.95"),
        ("RUB", "Russian Ruble", "₽", "0.9900"),
        ("SEK", "Swedish Krona", "kr", "8.46"),
        ("SGD", "Singapore Dollar", "S$", "61.80"),
        ("TRY", "Turkish Lira", "₺", "1.92"),
        ("USD", "US Dollar", "$", "79.70"),
        ("ZAR", "South African Rand", "R", "4.62"),
    )
}
