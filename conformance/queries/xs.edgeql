# name: xs
# result: one str
select str_repeat('x', 100000)
