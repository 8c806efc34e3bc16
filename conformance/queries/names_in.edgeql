# name: names_in
# args: names array<str>
# result: many {name: str}
select Account { name } filter .name in array_unpack(<array<str>>$0) order by .name
