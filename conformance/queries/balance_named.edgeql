# name: balance_named
# named: name str
# result: optional int64
select (select Account filter .name = <str>$name).balance
