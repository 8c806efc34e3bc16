# name: dollars_in_text
# named: a str
# result: one str
select <str>$a # $b
 ++ '$c'
