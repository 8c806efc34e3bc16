# name: account
# args: name str
# result: optional {id: uuid, name: str, balance: int64, note: optional str, color: optional enum<Red, Green, Blue>, tags: multi str}
select Account { id, name, balance, note, color, tags } filter .name = <str>$0
