# name: count_scripted
# result: one int64
select count((select Account filter .name in {'script1', 'script2'}))
