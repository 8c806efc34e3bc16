# name: name_if
# args: name optional str
# result: many {name: str}
select Account { name } filter (.name = <optional str>$0) ?? true order by .name limit 2
