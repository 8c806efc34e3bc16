# name: delete_returning
# args: name str
# result: optional {name: str}
select (delete Account filter .name = <str>$0) { name }
