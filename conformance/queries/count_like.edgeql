# name: count_like
# args: pattern str
# result: one int64
select count((select Account filter .name like <str>$0))
