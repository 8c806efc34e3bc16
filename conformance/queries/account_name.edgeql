# name: account_name
# args: name str
# result: optional {name: str}
select Account { name } filter .name = <str>$0
