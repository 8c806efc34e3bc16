# name: balance
# args: name str
# result: optional int64
select (select Account filter .name = <str>$0).balance
