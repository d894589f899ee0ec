//! Which digits belong to which country.
//!
//! The calling codes are those of ITU-T E.164's list of assigned codes; what shares one is told apart as far as its own
//! plan does it by leading digits. A longer prefix is an exception from the shorter ones that it begins with.
//!
//! Numbering plans change a few times a year. A test in the admin plane compares this table with the numbering library's
//! metadata, region by region, and names the exceptions: when the library learns of a new code, it fails.

/// What a prefix has that is in use and belongs to no one country: +1's toll-free, premium and personal numbers.
pub(super) const NO_ONE: [u8; 2] = *b"--";

/// The most digits that a prefix has.
pub(super) const PREFIX_DIGITS_MAX: u32 = 8;

/// Prefix and ISO 3166-1 alpha-2 code, in order of the prefix as an integer.
///
/// Where a plan says less than one would like: Saint Martin and Saint Barthélemy share mobile numbers with Guadeloupe,
/// Christmas Island and the Cocos Islands with Australia, Svalbard with Norway, Åland with Finland; those count as the
/// country that gives the code its plan. North Cyprus counts as Turkey, Pitcairn as New Zealand, whose codes they use.
/// Canada's non-geographic codes (600, 622 ...) are Canada's alone.
#[rustfmt::skip]
pub(super) static PREFIXES: &[(u32, [u8; 2])] = &[
    (1, *b"US"), (7, *b"RU"), (20, *b"EG"), (27, *b"ZA"), (30, *b"GR"), (31, *b"NL"), (32, *b"BE"),
    (33, *b"FR"), (34, *b"ES"), (36, *b"HU"), (39, *b"IT"), (40, *b"RO"), (41, *b"CH"), (43, *b"AT"),
    (44, *b"GB"), (45, *b"DK"), (46, *b"SE"), (47, *b"NO"), (48, *b"PL"), (49, *b"DE"), (51, *b"PE"),
    (52, *b"MX"), (53, *b"CU"), (54, *b"AR"), (55, *b"BR"), (56, *b"CL"), (57, *b"CO"), (58, *b"VE"),
    (60, *b"MY"), (61, *b"AU"), (62, *b"ID"), (63, *b"PH"), (64, *b"NZ"), (65, *b"SG"), (66, *b"TH"),
    (76, *b"KZ"), (77, *b"KZ"), (81, *b"JP"), (82, *b"KR"), (84, *b"VN"), (86, *b"CN"), (90, *b"TR"),
    (91, *b"IN"), (92, *b"PK"), (93, *b"AF"), (94, *b"LK"), (95, *b"MM"), (98, *b"IR"), (211, *b"SS"),
    (212, *b"MA"), (213, *b"DZ"), (216, *b"TN"), (218, *b"LY"), (220, *b"GM"), (221, *b"SN"), (222, *b"MR"),
    (223, *b"ML"), (224, *b"GN"), (225, *b"CI"), (226, *b"BF"), (227, *b"NE"), (228, *b"TG"), (229, *b"BJ"),
    (230, *b"MU"), (231, *b"LR"), (232, *b"SL"), (233, *b"GH"), (234, *b"NG"), (235, *b"TD"), (236, *b"CF"),
    (237, *b"CM"), (238, *b"CV"), (239, *b"ST"), (240, *b"GQ"), (241, *b"GA"), (242, *b"CG"), (243, *b"CD"),
    (244, *b"AO"), (245, *b"GW"), (246, *b"IO"), (247, *b"AC"), (248, *b"SC"), (249, *b"SD"), (250, *b"RW"),
    (251, *b"ET"), (252, *b"SO"), (253, *b"DJ"), (254, *b"KE"), (255, *b"TZ"), (256, *b"UG"), (257, *b"BI"),
    (258, *b"MZ"), (260, *b"ZM"), (261, *b"MG"), (262, *b"RE"), (263, *b"ZW"), (264, *b"NA"), (265, *b"MW"),
    (266, *b"LS"), (267, *b"BW"), (268, *b"SZ"), (269, *b"KM"), (290, *b"SH"), (291, *b"ER"), (297, *b"AW"),
    (298, *b"FO"), (299, *b"GL"), (350, *b"GI"), (351, *b"PT"), (352, *b"LU"), (353, *b"IE"), (354, *b"IS"),
    (355, *b"AL"), (356, *b"MT"), (357, *b"CY"), (358, *b"FI"), (359, *b"BG"), (370, *b"LT"), (371, *b"LV"),
    (372, *b"EE"), (373, *b"MD"), (374, *b"AM"), (375, *b"BY"), (376, *b"AD"), (377, *b"MC"), (378, *b"SM"),
    (379, *b"VA"), (380, *b"UA"), (381, *b"RS"), (382, *b"ME"), (383, *b"XK"), (385, *b"HR"), (386, *b"SI"),
    (387, *b"BA"), (389, *b"MK"), (420, *b"CZ"), (421, *b"SK"), (423, *b"LI"), (500, *b"FK"), (501, *b"BZ"),
    (502, *b"GT"), (503, *b"SV"), (504, *b"HN"), (505, *b"NI"), (506, *b"CR"), (507, *b"PA"), (508, *b"PM"),
    (509, *b"HT"), (590, *b"GP"), (591, *b"BO"), (592, *b"GY"), (593, *b"EC"), (594, *b"GF"), (595, *b"PY"),
    (596, *b"MQ"), (597, *b"SR"), (598, *b"UY"), (599, *b"CW"), (670, *b"TL"), (672, *b"NF"), (673, *b"BN"),
    (674, *b"NR"), (675, *b"PG"), (676, *b"TO"), (677, *b"SB"), (678, *b"VU"), (679, *b"FJ"), (680, *b"PW"),
    (681, *b"WF"), (682, *b"CK"), (683, *b"NU"), (685, *b"WS"), (686, *b"KI"), (687, *b"NC"), (688, *b"TV"),
    (689, *b"PF"), (690, *b"TK"), (691, *b"FM"), (692, *b"MH"), (850, *b"KP"), (852, *b"HK"), (853, *b"MO"),
    (855, *b"KH"), (856, *b"LA"), (880, *b"BD"), (886, *b"TW"), (960, *b"MV"), (961, *b"LB"), (962, *b"JO"),
    (963, *b"SY"), (964, *b"IQ"), (965, *b"KW"), (966, *b"SA"), (967, *b"YE"), (968, *b"OM"), (970, *b"PS"),
    (971, *b"AE"), (972, *b"IL"), (973, *b"BH"), (974, *b"QA"), (975, *b"BT"), (976, *b"MN"), (977, *b"NP"),
    (992, *b"TJ"), (993, *b"TM"), (994, *b"AZ"), (995, *b"GE"), (996, *b"KG"), (997, *b"KZ"), (998, *b"UZ"),
    (1204, *b"CA"), (1226, *b"CA"), (1236, *b"CA"), (1242, *b"BS"), (1246, *b"BB"), (1249, *b"CA"),
    (1250, *b"CA"), (1257, *b"CA"), (1263, *b"CA"), (1264, *b"AI"), (1268, *b"AG"), (1273, *b"CA"),
    (1284, *b"VG"), (1289, *b"CA"), (1306, *b"CA"), (1340, *b"VI"), (1343, *b"CA"), (1345, *b"KY"),
    (1354, *b"CA"), (1365, *b"CA"), (1367, *b"CA"), (1368, *b"CA"), (1382, *b"CA"), (1403, *b"CA"),
    (1416, *b"CA"), (1418, *b"CA"), (1428, *b"CA"), (1431, *b"CA"), (1437, *b"CA"), (1438, *b"CA"),
    (1441, *b"BM"), (1450, *b"CA"), (1468, *b"CA"), (1473, *b"GD"), (1474, *b"CA"), (1500, *b"--"),
    (1506, *b"CA"), (1514, *b"CA"), (1519, *b"CA"), (1521, *b"--"), (1522, *b"--"), (1523, *b"--"),
    (1524, *b"--"), (1525, *b"--"), (1526, *b"--"), (1527, *b"--"), (1528, *b"--"), (1529, *b"--"),
    (1532, *b"--"), (1533, *b"--"), (1535, *b"--"), (1538, *b"--"), (1542, *b"--"), (1543, *b"--"),
    (1544, *b"--"), (1545, *b"--"), (1546, *b"--"), (1547, *b"--"), (1548, *b"CA"), (1549, *b"--"),
    (1550, *b"--"), (1552, *b"--"), (1553, *b"--"), (1554, *b"--"), (1556, *b"--"), (1558, *b"--"),
    (1566, *b"--"), (1569, *b"--"), (1577, *b"--"), (1578, *b"--"), (1579, *b"CA"), (1581, *b"CA"),
    (1584, *b"CA"), (1587, *b"CA"), (1588, *b"--"), (1589, *b"--"), (1600, *b"CA"), (1604, *b"CA"),
    (1613, *b"CA"), (1622, *b"CA"), (1633, *b"CA"), (1639, *b"CA"), (1644, *b"CA"), (1647, *b"CA"),
    (1649, *b"TC"), (1655, *b"CA"), (1658, *b"JM"), (1664, *b"MS"), (1670, *b"MP"), (1671, *b"GU"),
    (1672, *b"CA"), (1677, *b"CA"), (1683, *b"CA"), (1684, *b"AS"), (1688, *b"CA"), (1700, *b"--"),
    (1705, *b"CA"), (1709, *b"CA"), (1721, *b"SX"), (1742, *b"CA"), (1753, *b"CA"), (1758, *b"LC"),
    (1767, *b"DM"), (1778, *b"CA"), (1780, *b"CA"), (1782, *b"CA"), (1784, *b"VC"), (1787, *b"PR"),
    (1800, *b"--"), (1807, *b"CA"), (1809, *b"DO"), (1819, *b"CA"), (1822, *b"--"), (1825, *b"CA"),
    (1829, *b"DO"), (1833, *b"--"), (1844, *b"--"), (1849, *b"DO"), (1855, *b"--"), (1866, *b"--"),
    (1867, *b"CA"), (1868, *b"TT"), (1869, *b"KN"), (1873, *b"CA"), (1876, *b"JM"), (1877, *b"--"),
    (1879, *b"CA"), (1880, *b"--"), (1881, *b"--"), (1882, *b"--"), (1883, *b"--"), (1884, *b"--"),
    (1885, *b"--"), (1886, *b"--"), (1887, *b"--"), (1888, *b"--"), (1889, *b"--"), (1900, *b"--"),
    (1902, *b"CA"), (1905, *b"CA"), (1939, *b"PR"), (1942, *b"CA"), (2908, *b"TA"), (4779, *b"SJ"),
    (5993, *b"BQ"), (5994, *b"BQ"), (5997, *b"BQ"), (6721, *b"AQ"), (35818, *b"AX"), (262269, *b"YT"),
    (262639, *b"YT"), (441481, *b"GG"), (441534, *b"JE"), (441624, *b"IM"), (447509, *b"JE"),
    (447524, *b"IM"), (447624, *b"IM"), (447781, *b"GG"), (447797, *b"JE"), (447829, *b"JE"),
    (447839, *b"GG"), (447924, *b"IM"), (447937, *b"JE"), (733622, *b"KZ"), (2125288, *b"EH"),
    (2125289, *b"EH"), (2622689, *b"YT"), (2627090, *b"YT"), (2629398, *b"YT"), (2629478, *b"YT"),
    (2629769, *b"YT"), (3906698, *b"VA"), (4474576, *b"IM"), (4477003, *b"JE"), (4477007, *b"JE"),
    (4477008, *b"JE"), (4479111, *b"GG"), (4479117, *b"GG"), (6189162, *b"CC"), (6189164, *b"CX"),
    (59059000, *b"MF"), (59059007, *b"MF"), (59059009, *b"MF"), (59059013, *b"MF"), (59059027, *b"BL"),
    (59059029, *b"BL"), (59059030, *b"MF"), (59059043, *b"MF"), (59059050, *b"MF"), (59059051, *b"BL"),
    (59059052, *b"BL"), (59059056, *b"MF"), (59059058, *b"MF"), (59059077, *b"MF"), (59059079, *b"MF"),
    (59059087, *b"MF"), (61851001, *b"CX"), (61851002, *b"CC"), (61851030, *b"CX"), (61851031, *b"CC"),
    (61851059, *b"CX"), (61851060, *b"CC"), (61851088, *b"CX"), (61851089, *b"CC"), (61851117, *b"CX"),
    (61851118, *b"CC"), (61851146, *b"CX"), (61851175, *b"CX"), (61851176, *b"CC"), (61851222, *b"CX"),
    (61851223, *b"CC"), (61851235, *b"CX"), (61891703, *b"CC"), (61891958, *b"CX"),
];
