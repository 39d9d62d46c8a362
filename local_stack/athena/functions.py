"""Trino's functions: which names exist, which DuckDB has under another name, and macros for the gaps."""

from __future__ import annotations

from local_stack.athena.decimals import ZERO_DIVISOR

_TRINO_FUNCTIONS = """
abs acos all_match any_match any_value approx_distinct approx_most_frequent approx_percentile arbitrary
array_agg array_distinct array_except array_first array_histogram array_intersect array_join array_last
array_max array_min array_position array_remove array_sort array_union arrays_overlap asin at_timezone atan
atan2 avg bar bit_count bitwise_and bitwise_and_agg bitwise_left_shift bitwise_not bitwise_or bitwise_or_agg
bitwise_right_shift bitwise_xor bool_and bool_or cardinality cast cbrt ceil ceiling checksum chr coalesce
codepoint combinations concat concat_ws contains corr cos cosh count count_if covar_pop covar_samp crc32
cume_dist current_timezone date date_add date_diff date_format date_parse date_trunc day day_of_month
day_of_week day_of_year degrees dense_rank dow doy e element_at every exists exp extract filter first_value
flatten floor format format_datetime format_number from_base from_base64 from_base64url from_hex
from_iso8601_date from_iso8601_timestamp from_unixtime from_utf8 geometric_mean greatest grouping
hamming_distance histogram hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 hour human_readable_seconds if index
infinity inverse_normal_cdf is_finite is_infinite is_json_scalar is_nan json_array_contains json_array_get
json_array_length json_exists json_extract json_extract_scalar json_format json_parse json_query json_size
json_value kurtosis lag last_day_of_month last_value lead least length levenshtein_distance listagg ln log
log10 log2 lower lpad ltrim luhn_check map map_agg map_concat map_entries map_filter map_from_entries
map_keys map_union map_values map_zip_with max max_by md5 merge millisecond min min_by minute mod month
multimap_agg multimap_from_entries murmur3 nan ngrams none_match normal_cdf normalize now nth_value ntile
nullif numeric_histogram parse_data_size parse_datetime parse_duration percent_rank pi position pow power
qdigest_agg quarter radians rand random rank reduce reduce_agg regexp_count regexp_extract
regexp_extract_all regexp_like regexp_position regexp_replace regexp_split regr_intercept regr_slope repeat
replace reverse round row row_number rpad rtrim second sequence sha1 sha256 sha512 shuffle sign sin sinh
skewness slice soundex split split_part split_to_map split_to_multimap spooky_hash_v2_32 spooky_hash_v2_64
sqrt starts_with stddev stddev_pop stddev_samp strpos substr substring sum tan tanh tdigest_agg timezone
timezone_hour timezone_minute to_base to_base64 to_base64url to_char to_date to_hex to_iso8601
to_milliseconds to_timestamp to_unixtime to_utf8 transform transform_keys transform_values translate trim
trim_array truncate try try_cast typeof unnest upper url_decode url_encode url_extract_fragment
url_extract_host url_extract_parameter url_extract_path url_extract_port url_extract_protocol
url_extract_query uuid value_at_quantile values_at_quantiles var_pop var_samp variance version week
week_of_year width_bucket wilson_interval_lower wilson_interval_upper with_timezone word_stem xxhash64 year
year_of_week yow zip zip_with
"""
TRINO_FUNCTIONS = frozenset(_TRINO_FUNCTIONS.split())
"""Names that Athena's engine 3 registers (spatial ones begin with ``st_``)."""

_TRINO_TYPES = """
array bigint boolean char date decimal double hyperloglog int integer interval ipaddress json map
p4hyperloglog qdigest real row smallint tdigest time timestamp tinyint uuid varbinary varchar
"""
TRINO_TYPES = frozenset(_TRINO_TYPES.split())
"""Names that a type begins with in Athena's engine 3."""

RENAMED = {
    "arrays_overlap": "list_has_any",
    "codepoint": "unicode",
    "every": "bool_and",
    "index": "strpos",
    "is_finite": "isfinite",
    "is_infinite": "isinf",
    "yow": "isoyear",
    "millisecond": "trino_millisecond",
    "url_encode": "trino_url_encode",
}
"""Functions that DuckDB has under another name."""

_AS_IN_DUCKDB = """
bit_count geometric_mean histogram json_array_length map_concat map_entries map_values to_base
url_decode
"""
AS_IN_DUCKDB = frozenset(_AS_IN_DUCKDB.split())
"""Functions that sqlglot does not know and DuckDB has under the same name with the same meaning."""

_AS_TIMESTAMP = "try_cast(CAST(x AS VARCHAR) AS TIMESTAMP)"
_WHOLE = "('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT')"
# A failing cast is how a macro raises: error() is volatile, which TRY refuses.
_THROW = f"CAST('{ZERO_DIVISOR} of ' || CAST(a AS VARCHAR) AS INTEGER)"

# DuckDB folds typeof() when it binds, so a CASE over it costs nothing per row; and a CASE WHEN false carries
# a type that depends on those of the arguments. (Typed overloads do not see the type of an aggregate.)
# Arguments are pasted in wherever they are named: the fewer places, the better expressions nest.
MACROS = [
    # Whole numbers stay themselves, decimals get all the digits there are: x INTEGER widens them by 10.
    """CREATE MACRO _widest(x) AS
        CASE WHEN false THEN x * CAST(1 AS INTEGER) * CAST(1 AS INTEGER) * CAST(1 AS INTEGER) END""",
    f"""CREATE MACRO trino_div(a, b) AS CASE
        WHEN typeof(a + b) LIKE 'DECIMAL%'
        THEN cast_to_type(decimal_quotient(CAST(a AS VARCHAR), CAST(b AS VARCHAR)), _widest(a + b))
        WHEN typeof(a + b) IN {_WHOLE}
        THEN cast_to_type(CASE WHEN b = 0 THEN {_THROW} ELSE a // b END, _widest(a + b))
        ELSE cast_to_type(a / b, _widest(a + b)) END""",
    f"""CREATE MACRO trino_mod(a, b) AS CASE
        WHEN b = 0 AND typeof(a + b) NOT IN ('DOUBLE', 'FLOAT') THEN {_THROW} ELSE a % b END""",
    # The average of whole numbers is a double, that of decimals a decimal; a median's type follows that rule.
    """CREATE MACRO trino_avg(total, n) AS CASE
        WHEN typeof(total) LIKE 'DECIMAL%'
        THEN cast_to_type(decimal_quotient(CAST(total AS VARCHAR), CAST(nullif(n, 0) AS VARCHAR)),
                          CASE WHEN false THEN list_median([total]) END)
        ELSE cast_to_type(total / n, CASE WHEN false THEN list_median([total]) END) END""",
    "CREATE MACRO trino_round (x) AS cast_to_type(round(x), x), (x, n) AS cast_to_type(round(x, n), x)",
    f"""CREATE MACRO trino_varchar(x) AS CASE WHEN typeof(x) LIKE 'TIMESTAMP%'
        THEN strftime({_AS_TIMESTAMP}, '%Y-%m-%d %H:%M:%S.%g') ELSE CAST(x AS VARCHAR) END""",
    """CREATE MACRO trino_sequence (a, b) AS generate_series(a, b, CASE WHEN a <= b THEN 1 ELSE -1 END),
       (a, b, s) AS cast_to_type(generate_series(a, b, s), CASE WHEN false THEN [a] END)""",
    f"""CREATE MACRO to_iso8601(x) AS CASE WHEN typeof(x) = 'DATE' THEN CAST(x AS VARCHAR)
        ELSE strftime({_AS_TIMESTAMP}, '%Y-%m-%dT%H:%M:%S.%g') END""",
    "CREATE MACRO trino_distinct(l) AS list_filter(l, lambda x, i: list_position(l, x) = i)",
    """CREATE MACRO trino_slice(l, first, n) AS
        list_slice(l, CASE WHEN first < 0 THEN len(l) + first + 1 ELSE first END,
                   CASE WHEN first < 0 THEN len(l) + first + n ELSE first + n - 1 END)""",
    "CREATE MACRO trino_repeat(x, n) AS list_transform(range(n), lambda i: x)",
    "CREATE MACRO trino_split_part(s, d, n) AS str_split(s, d)[n]",
    """CREATE MACRO trino_regexp_extract
        (s, p) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p) END,
        (s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END""",
    r"CREATE MACRO trino_replacement(x) AS regexp_replace(x, '\$(\d)', '\\\1', 'g')",
    "CREATE MACRO trino_millisecond(x) AS millisecond(x) % 1000",
    "CREATE MACRO trino_url_encode(x) AS replace(url_encode(x), '%20', '+')",
    """CREATE MACRO width_bucket(x, low, high, n) AS CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1
        ELSE CAST(floor((x - low) * n / (high - low)) AS BIGINT) + 1 END""",
    # A double that becomes a whole number is rounded half away from zero, not half to even.
    """CREATE MACRO trino_half_up(x) AS CASE WHEN typeof(x) IN ('DOUBLE', 'FLOAT')
        THEN cast_to_type(round(try_cast(CAST(x AS VARCHAR) AS DOUBLE)), x) ELSE x END""",
    """CREATE MACRO trino_typeof(x) AS replace(replace(replace(lower(typeof(x)),
        'hugeint', 'bigint'), 'timestamp', 'timestamp(3)'), 'float', 'real')""",
    "CREATE MACRO array_union(a, b) AS trino_distinct(list_concat(a, b))",
    "CREATE MACRO bitwise_left_shift(a, n) AS a << n",
    "CREATE MACRO bitwise_right_shift(a, n) AS a >> n",
    "CREATE MACRO e() AS exp(CAST(1 AS DOUBLE))",
    "CREATE MACRO infinity() AS CAST('inf' AS DOUBLE)",
    "CREATE MACRO nan() AS CAST('nan' AS DOUBLE)",
    "CREATE MACRO map_agg(k, v) AS map(list(k), list(v))",
]
"""DuckDB macros with Trino's meaning; ``trino_*`` replace operators and functions of another meaning."""

_MACRO_FUNCTIONS = """
array_union bitwise_left_shift bitwise_right_shift e infinity map_agg nan to_iso8601
"""
MACRO_FUNCTIONS = frozenset(_MACRO_FUNCTIONS.split())
"""Trino functions that exist as macros under their own name."""
