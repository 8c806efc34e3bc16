# name: named_a
# named: a str
# result: one str
select <str>$a
