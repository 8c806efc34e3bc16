# name: installed
# args: name str
# result: one bool
select exists (select schema::ObjectType filter .name = <str>$0)
