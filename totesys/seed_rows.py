"""The rows that were there on the first day: every person, company and address here is invented."""

from __future__ import annotations

CURRENCY_CODES = ("GBP", "USD", "EUR")

PAYMENT_TYPE_NAMES = ("SALES_RECEIPT", "SALES_REFUND", "PURCHASE_PAYMENT", "PURCHASE_REFUND")
SALES_RECEIPT = 1
PURCHASE_PAYMENT = 3

# department_name, location, manager. One location is misspelt, as in the original.
DEPARTMENTS = (
    ("Sales", "Leeds", "Imogen Thackray"),
    ("Purchasing", "Leeds", "Oluwaseun Bello"),
    ("Production", "Bradford", "Ffion Pritchard"),
    ("Dispatch", "Leds", "Callum Ainscough"),
    ("Finance", "Leeds", "Yasmin Farouk"),
    ("Facilities", "Bradford", "Piotr Zawada"),
    ("Communications", "Bradford", "Saoirse Quigg"),
    ("HR", "Leeds", "Hamish Dunbarrow"),
)

# address_line_1, address_line_2, district, city, postal_code, country, phone.
ADDRESSES = (
    ("14 Fuller's Yard", None, "Calderdale", "Halifield", "28310", "Tajikistan", "1904 220871"),
    (
        "7702 Birchen Rise",
        None,
        None,
        "Port Aldwyn",
        "90417-2205",
        "Bouvet Island (Bouvetoya)",
        "9340 118254",
    ),
    ("390 Tannery Lane", None, None, "Lower Quay", "88164", "Iraq", "0412 659037"),
    ("5518 Cooper's Walk", "Unit 9", "Wharfedale", "Ottersby", "40522", "Kiribati", "1177 804416"),
    ("23 Ropemakers Row", None, None, "Fort Hesketh", "51903-7741", "Iceland", "0093 316680"),
    ("861 Lantern Court", None, None, "Marlhaven", "07219", "Indonesia", "0562 741903"),
    ("66147 Weir Street", None, "Teesdale", "North Anstow", "01926", "Cabo Verde", "1480 257719"),
    ("0412 Madder Fold", None, None, "Saltby", "53380-0196", "Sierra Leone", "8817 430265"),
    ("905 Indigo Gardens", None, "Ryedale", "New Corran", "33071-6648", "Republic of Korea", "0651 992380"),
    ("48820 Loom Flats", "Weaver's Close", "Wharfedale", "Bellmouth", "87715", "Bolivia", "4726 103958"),
    (
        "371 Bobbin Mission",
        None,
        "Teesdale",
        "San Ivo",
        "84292-5073",
        "Svalbard & Jan Mayen Islands",
        "0318 467125",
    ),
    ("9004 Shuttle Road", None, None, "Millbrook Cross", "36658-0817", "Papua New Guinea", "4693 580241"),
    (
        "71933 Selvedge Dale",
        "Warp House",
        None,
        "Hanleyville",
        "61184-3902",
        "Antigua and Barbuda",
        "8951 376604",
    ),
    ("83016 Twill Common", "Weft Buildings", None, "Maplefort", "49375-1120", "Sudan", "2508 649173"),
    (
        "518 Heddle Crossing",
        "Second Floor",
        None,
        "East Rowan",
        "87730-4416",
        "American Samoa",
        "9576 201388",
    ),
    (
        "602 Calico Extension",
        "Cotton Radial",
        "Teesdale",
        "South Penrow",
        "03817-5529",
        "Guam",
        "2281 735640",
    ),
    ("881 Muslin Drives", None, None, "Hackley", "94802-3371", "Austria", "5419 668027"),
    ("57261 Hessian Cliff", "Jute Glens", "Wharfedale", "Lake Ivar", "62940", "Congo", "0275 519486"),
    (
        "0390 Gusset Corner",
        "Seam Ways",
        "Teesdale",
        "West Brindle",
        "02244",
        "Falkland Islands (Malvinas)",
        "1690 842753",
    ),
    ("21184 Hem Landing", None, None, "Pueblo Alto", "90368", "Portugal", "4117 903562"),
    ("276 Canvas Ridge", None, "Fenland", "Fresford", "92651-4408", "San Marino", "8460 325791"),
    ("419 Buckram Streets", None, None, "Sayer's End", "84407-3316", "Samoa", "0739 481620"),
    ("148 Denim Freeway", None, "Holderness", "Dovreport", "26613", "Republic of Korea", "4225 790318"),
    ("7345 Linen Way", None, None, "New Tarrant", "18021", "Bosnia and Herzegovina", "5633 164809"),
    ("340 Poplin Ridge", "Back Wall", "Ryedale", "East Orvel", "34288-8861", "Zimbabwe", "0052 417736"),
    ("633 Flannel Branch", None, "Wharfedale", "Napperton", "76102-5527", "Faroe Islands", "5248 906173"),
    ("6108 Velvet View", None, "Teesdale", "Oakham Park", "78511", "United Kingdom", "2837 554092"),
    ("065 Worsted Landing", None, None, "Utterby", "92136", "Australia", "7661 298304"),
    (
        "38947 Baize Lock",
        "Felt Pines",
        None,
        "Bartelham",
        "43391-6270",
        "Heard Island and McDonald Islands",
        "1573 820946",
    ),
    ("0227 Chintz Heights", None, "Teesdale", "Lake Mirren", "95634-7718", "Japan", "1194 673520"),
)

# counterparty_legal_name, legal_address_id, commercial_contact, delivery_contact.
# Fifteen addresses serve all twenty.
COUNTERPARTIES = (
    ("Brackwell and Sons", 3, "Tobias Marchmont", "Mrs. Greta Lindqvist"),
    ("Osei, Hartnell and Vane", 12, "Amara Osei", "Rufus Ellerby II"),
    ("Pennygate Inc", 27, "Lorna Sedgwick", "Dmitri Halloran"),
    ("Thornbury Inc", 8, "Kofi Ansah", "Beatrix Loy III"),
    ("Ferrand, Quill and Makepeace", 19, "Desmond Achterberg", "Marisol Vega"),
    ("Nettlecombe LLC", 19, "Harriet Bluth", "Anselm Rook"),
    ("Paddock, Ilves and Jarrow", 25, "Ms. Verity Stonor", "Cormac O'Hagan"),
    ("Galt - Lorimer", 1, "Ingrid Faulk", "Theodora Pym"),
    ("Wexcombe LLC", 22, "Solomon Tait", "Petra Novakova"),
    ("Ashdown - Merrow", 14, "Bryn Cadwallader", "Leonie Strand"),
    ("Kestrel - Ambrose", 6, "Ottilie Ware", "Winston Adeyemi"),
    ("Lindgren & Peake", 30, "Magnus Ferreby", "Clementine Oduya"),
    ("Harker, Dunmore and Silk", 6, "Rosalind Bewley", "Ezra Whitlock"),
    ("Holloway, Mbeki and Tarn", 11, "Ms. Priya Raman", "Astrid Colvin PhD"),
    ("Ellerman, Roe and Castell", 21, "Gideon Sharpe", "Nils Overton DVM"),
    ("Marlowe, Finch and Abara", 17, "Juno Castellane DDS", "Patrick Wray"),
    ("Quayside Group", 6, "Dr. Maeve Tolliver", "Silas Brandt"),
    ("Underhill and Sons", 28, "Flora Gantry", "Hugo Espinoza"),
    ("Vickers, Amadi and Thorne", 27, "Pearl Umeh", "Casper Lund"),
    ("Yardley, Sato and Moss", 12, "Ruth Kowalczyk", "Jasper Meeks"),
)

# first_name, last_name, department_id.
STAFF = (
    ("Rowena", "Fairclough", 1),
    ("Dilip", "Sengupta", 5),
    ("Annika", "Holt", 3),
    ("Bertrand", "Moreau", 3),
    ("Cecily", "Okonjo", 1),
    ("Farid", "Haddad", 2),
    ("Gwendolyn", "Marsh", 7),
    ("Ignatius", "Bellweather", 4),
    ("Jocasta", "Trent", 2),
    ("Kwame", "Boateng", 8),
    ("Lucinda", "Pike", 3),
    ("Mateus", "Carvalho", 6),
    ("Niamh", "O'Dowd", 1),
    ("Orla", "VanAsten", 2),
    ("Percival", "Snape", 3),
    ("Quentin", "Abernathy", 5),
    ("Rosamund", "D'Arcy", 8),
    ("Stellan", "Berg", 6),
    ("Tamsin", "Weir", 2),
    ("Ulrich", "Kessler", 1),
)

DESIGN_NAMES = (
    "Wooden",
    "Bronze",
    "Soft",
    "Plastic",
    "Cotton",
    "Granite",
    "Steel",
    "Metal",
    "Concrete",
    "Frozen",
    "Fresh",
    "Rubber",
)

FILE_LOCATIONS = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/defaults",
    "/home/user/dir",
    "/lib",
    "/media",
    "/mnt",
    "/net",
    "/opt",
    "/opt/bin",
    "/opt/lib",
    "/private/tmp",
    "/root",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/local/src",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var/log",
    "/var/mail",
    "/var/spool",
)


def email_address(first_name: str, last_name: str) -> str:
    """``first.last@terrifictotes.com`` in small letters, apostrophes kept."""
    return f"{first_name}.{last_name}@terrifictotes.com".lower()
