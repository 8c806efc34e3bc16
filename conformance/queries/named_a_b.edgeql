# name: named_a_b
# named: a str, b str
# result: one tuple<str, str>
select (<str>$a, <str>$b)
