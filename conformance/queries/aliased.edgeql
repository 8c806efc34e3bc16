# name: aliased
# result: one str
select s::str_upper('x')
